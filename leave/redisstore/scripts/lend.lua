-- Lends due jobs of the second form.
--
-- KEYS  the parts to look into
-- ARGV from 5: the caller's time, the latest time (milliseconds) at which a job
-- is due, how many, to whom, then the number of each part
-- Answer: for every job its id, and what is stored now.
local now, most, holder = tonumber(ARGV[5]), tonumber(ARGV[7]), ARGV[8]
local due = {}
for i = 9, #ARGV do
  if #due >= 4 * most then
    break -- so many are due at once: the next claim lends those of the other parts
  end
  local part = KEYS[FIXED + i - 8]
  local some = redis.call('ZRANGEBYSCORE', part, '-inf', ARGV[6], 'WITHSCORES', 'LIMIT', 0, most)
  for j = 1, #some, 2 do
    due[#due + 1] = {id = some[j], at = tonumber(some[j + 1]), part = part, n = ARGV[i]}
  end
end
table.sort(due, function(a, b)
  if a.at ~= b.at then
    return a.at < b.at
  end
  return a.id < b.id
end)

for i = 1, math.min(most, #due) do
  local id, part = due[i].id, due[i].part
  local stored = redis.call('HGET', RECORDS, id)
  local r = record(stored)
  if r then
    local ends = now + math.max(r.lasts, 1)
    stored = lent(stored, r, version(0), ends, holder)
    redis.call('HSET', RECORDS, id, stored)
    redis.call('ZADD', part, int(ends), id)
    add(id)
    add(stored)
  elseif stored and stored ~= '' then
    redis.call('ZADD', part, int(now + 60000), id) -- as claim.lua has it
    add(id)
    add(stored)
  else
    redis.call('ZREM', part, id)
  end
end
-- A part that was empty, too, has a head no more.
for i = 9, #ARGV do
  head(KEYS[FIXED + i - 8], ARGV[i])
end
return answer
