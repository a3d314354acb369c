-- Reads records of one form, a part of them at a time. One that is there all the
-- time is read at least once.
--
-- ARGV from 5: the form, where to go on ('0' begins), about how many
-- Answer: where the next goes on ('0' after the last part), then for every record
-- its field or id and what is stored.
local hash = ARGV[5] == '2' and RECORDS or JOBS
local found = redis.call('HSCAN', hash, ARGV[6], 'COUNT', ARGV[7])
add(found[1])
for _, text in ipairs(found[2]) do
  add(text)
end
return answer
