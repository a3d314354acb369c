-- Sets aside what is stored and is no job, each if its stored version is the
-- expected one.
--
-- ARGV from 5, four for every one:
--   field, room, expected version (as in write.lua), when to look at it again
--   (milliseconds); '' for the last removes it
for i = 5, #ARGV, 4 do
  local field, room, expected, due = unpack(ARGV, i, i + 3)
  if at(redis.call('HGET', JOBS, field)) == expected then
    if due == '' then
      remove(field, room)
      enter(field, room, '')
      version(0)
    else
      redis.call('ZADD', DUE, due, field)
    end
  end
end
return answer
