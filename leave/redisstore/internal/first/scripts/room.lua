-- Reads jobs of a room, a part of them at a time.
--
-- ARGV from 5: room, the last field of the part before ('' for the first),
-- how many
-- Answer: the last field of this part, '' if it is empty, and for every job its
-- field and what is stored.
local from, to = fields(ARGV[5])
if ARGV[6] ~= '' then
  from = '(' .. ARGV[6]
end
local found = redis.call('ZRANGEBYLEX', INDEX, from, to, 'LIMIT', 0, ARGV[7])
add(found[#found] or '')
if #found > 0 then
  for i, stored in ipairs(redis.call('HMGET', JOBS, unpack(found))) do
    add(found[i])
    add(stored or '')
  end
end
return answer
