-- Reads the values of one form in several calls. A value that is there from the
-- first call to the last is read at least once.
--
-- ARGV from 5: the form, the cursor of the call before ('0' in the first call), about
-- how many values
-- Answer: the cursor for the next call ('0' after the last one), then for every value
-- its field or id and the value.
local hash = ARGV[5] == '2' and RECORDS or JOBS
local found = redis.call('HSCAN', hash, ARGV[6], 'COUNT', ARGV[7])
add(found[1])
for _, text in ipairs(found[2]) do
  add(text)
end
return answer
