-- Writes or removes jobs, each if its stored version is the expected one.
--
-- ARGV from 4, nine for every job:
--   field, room, expected version ('0' for none stored, '?' for what is no
--   job), a version that the new one has to exceed, the user whose job it was
--   and is ('' for nobody's), when it is due (milliseconds), 1 if its room
--   counts as occupied by it, value ('' removes)
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

for i = 4, #ARGV, 9 do
  local field, room, expected, above, had, gets, due, occupies, value = unpack(ARGV, i, i + 8)
  local stored = redis.call('HGET', JOBS, field)
  local at, occupied = '0', '0'
  if stored then
    at, occupied = string.match(stored, '^(%d+) %d+ %d+ (%d) ')
    at, occupied = at or '?', occupied or '0'
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
    count(PRESENT, room, occupies - occupied)
    if had ~= gets then
      if had ~= '' then count(USERS, had, -1) end
      if gets ~= '' then count(USERS, gets, 1) end
    end
    add('1')
    add(v)
  end
end
return answer
