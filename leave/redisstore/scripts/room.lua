-- Reads the jobs of a room, in several calls if it has many. Each call reads some
-- jobs of the first form. The first call reads the jobs of the second form, too.
--
-- KEYS  the part of the due times that lists the room's jobs of the second form
-- ARGV from 5: the room, what its ids begin with, the last field of the call before
-- ('' in the first call), the most values of each form
-- Answer: the number of fields, the fields, and their values; then, in the first
-- call, the number of ids, all ids, and the values of the first ones.
local function values(hash, names, most)
  if #names > 0 then
    for _, stored in ipairs(redis.call('HMGET', hash, unpack(names, 1, math.min(#names, most)))) do
      add(stored or '')
    end
  end
end

local function list(names)
  add(int(#names))
  for _, name in ipairs(names) do
    add(name)
  end
end

local most = tonumber(ARGV[8])
local from, to = fields(ARGV[5])
if ARGV[7] ~= '' then
  from = '(' .. ARGV[7]
end
local found = redis.call('ZRANGEBYLEX', INDEX, from, to, 'LIMIT', 0, most)
list(found)
values(JOBS, found, most)
if ARGV[7] ~= '' then
  return answer
end

local part = ids(KEYS[FIXED + 1], ARGV[6], math.huge)
list(part)
values(RECORDS, part, most)
if #found + #part == 0 then
  -- The room has no jobs. This happens when its last record was not a job.
  redis.call('ZREM', ROOMS, ARGV[5])
  redis.call('HDEL', PRESENT, ARGV[5])
end
return answer
