-- Writes or removes jobs, each if its stored version is the expected one.
--
-- ARGV from 4, seven for every job:
--   field, room, expected version ('0' for none stored, '?' for what is no
--   job), a version that the new one has to exceed, when it is due
--   (milliseconds), the account of what it counts for (see enter), value; ''
--   for both of the last removes
-- Answer: for every job '1' and its new version, or '0' and what is stored.

local function remove(field, room)
  redis.call('HDEL', JOBS, field)
  redis.call('ZREM', DUE, field)
  redis.call('ZREM', INDEX, field)
  local from, to = fields(room)
  if #redis.call('ZRANGEBYLEX', INDEX, from, to, 'LIMIT', 0, 1) == 0 then
    redis.call('ZREM', ROOMS, room)
  end
end

local function write(field, room, above, due, value)
  local v = version(above)
  redis.call('HSET', JOBS, field, v .. ' ' .. value)
  redis.call('ZADD', DUE, due, field)
  redis.call('ZADD', INDEX, 0, field)
  redis.call('ZADD', ROOMS, 'NX', 0, room)
  return v
end

-- count adds to a number in a hash that has no zeros.
local function count(hash, field, by)
  if by ~= 0 and redis.call('HINCRBY', hash, field, int(by)) <= 0 then
    redis.call('HDEL', hash, field)
  end
end

-- tally adds up, with by, what an account says:
--   1 if the job occupies its room, its state, its weight, its owner
local function tally(sums, account, by)
  local occupies, state, weight, user = string.match(account, '^(%d) (%S*) (%d+) (.*)$')
  if user then
    local server = string.match(user, ':.*$') or ':'
    sums.occupied = sums.occupied + occupies * by
    for field, n in pairs({[user] = by, ['=' .. state] = by, [server] = weight * by, ['+' .. user] = weight * by}) do
      sums.counts[field] = (sums.counts[field] or 0) + n
    end
  end
end

-- enter changes a job's account, and all that is counted with it. What the job
-- was counted for is read from its account alone: whatever became of its value,
-- each number is the sum of the accounts.
local function enter(field, room, account)
  local before = redis.call('HGET', ACCOUNTS, field) or ''
  if before == account then
    return
  end
  if account == '' then
    redis.call('HDEL', ACCOUNTS, field)
  else
    redis.call('HSET', ACCOUNTS, field, account)
  end
  local sums = {occupied = 0, counts = {}}
  tally(sums, before, -1)
  tally(sums, account, 1)
  count(PRESENT, room, sums.occupied)
  for name, by in pairs(sums.counts) do
    count(COUNTS, name, by)
  end
end

for i = 4, #ARGV, 7 do
  local field, room, expected, above, due, account, value = unpack(ARGV, i, i + 6)
  local stored = redis.call('HGET', JOBS, field)
  local at = '0'
  if stored then
    at = string.match(stored, '^(%d+) %d+ %d+ [^\n]*\n') or '?'
  end
  if at ~= expected then
    add('0')
    add(stored or '')
  else
    local v = ''
    if value == '' then
      remove(field, room)
      version(0)
    else
      v = write(field, room, above, due, value)
    end
    enter(field, room, account)
    add('1')
    add(v)
  end
end
return answer
