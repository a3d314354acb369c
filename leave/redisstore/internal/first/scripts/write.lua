-- Writes or removes jobs, each if its stored version is the expected one.
--
-- ARGV from 5, seven for every job:
--   field, room, expected version ('0' for none stored, '?' for what is no
--   job), a version that the new one has to exceed, when it is due
--   (milliseconds), the account of what it counts for (see enter), value; ''
--   for both of the last removes
-- Answer: for every job '1' and its new version, or '0' and what is stored.

local function write(field, room, above, due, value)
  local v = version(above)
  redis.call('HSET', JOBS, field, v .. ' ' .. value)
  redis.call('ZADD', DUE, due, field)
  redis.call('ZADD', INDEX, 0, field)
  redis.call('ZADD', ROOMS, 'NX', 0, room)
  return v
end

for i = 5, #ARGV, 7 do
  local field, room, expected, above, due, account, value = unpack(ARGV, i, i + 6)
  local stored = redis.call('HGET', JOBS, field)
  if at(stored) ~= expected then
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
