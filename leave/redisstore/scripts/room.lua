-- Reads jobs of a room: of those in the first form a part at a time, and with the
-- first part those in the second.
--
-- KEYS  the part in which the room's jobs are due
-- ARGV from 5: room, what its ids begin with, the last field of the part before
-- ('' for the first), how many
-- Answer: the number of fields and the fields, what is stored for each; then, with
-- the first part, the number of ids and the ids, and what is stored for as many of
-- them.
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
  -- Nothing is left of a room whose last record was no job.
  redis.call('ZREM', ROOMS, ARGV[5])
  redis.call('HDEL', PRESENT, ARGV[5])
end
return answer
