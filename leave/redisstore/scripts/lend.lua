-- Lends due jobs of the second form.
--
-- KEYS  the parts to look into
-- ARGV from 5: the caller's time, the latest due time of a job (both in
-- milliseconds), how many jobs, the new holder, then the number of each part
-- Answer: for every job its id, and its value after the loan.
local now, most, holder = tonumber(ARGV[5]), tonumber(ARGV[7]), ARGV[8]
local due = {}
for i = 9, #ARGV do
  if #due >= 4 * most then
    break -- enough jobs are due: the next claim reads the other parts
  end
  local part = KEYS[FIXED + i - 8]
  local some = redis.call('ZRANGEBYSCORE', part, '-inf', ARGV[6], 'WITHSCORES', 'LIMIT', 0, most)
  for j = 1, #some, 2 do
    due[#due + 1] = {id = some[j], at = tonumber(some[j + 1]), part = part}
  end
end
table.sort(due, function(a, b)
  if a.at ~= b.at then
    return a.at < b.at
  end
  return a.id < b.id
end)

local places = {}
for i = 1, math.min(most, #due) do
  places[i] = due[i].id
end
local records = #places > 0 and redis.call('HMGET', RECORDS, unpack(places)) or {}
-- leases has the ids and the new values, scores the due times and ids of each part.
local leases, scores = {}, {}
for i, id in ipairs(places) do
  local part, stored = due[i].part, records[i]
  local r = record(stored)
  if stored and stored ~= '' then
    local ends = now + 60000 -- for a text that is not a job, as in claim.lua
    if r then
      ends = now + math.max(lasts(stored), 1)
      stored = lent(stored, r, version(0, #places - i + 1), ends, holder)
      leases[#leases + 1] = id
      leases[#leases + 1] = stored
    end
    local of = scores[part] or {}
    of[#of + 1] = int(ends)
    of[#of + 1] = id
    scores[part] = of
    add(id)
    add(stored)
  else
    redis.call('ZREM', part, id)
  end
end
if #leases > 0 then
  redis.call('HSET', RECORDS, unpack(leases))
end
for part, of in pairs(scores) do
  redis.call('ZADD', part, unpack(of))
end
-- This removes the head of a part that is empty, too.
for i = 9, #ARGV do
  head(KEYS[FIXED + i - 8], ARGV[i])
end
return answer
