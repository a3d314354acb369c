-- Reads records of the second form.
--
-- ARGV from 5: ids
-- Answer: the value of each, '' where there is none.
for _, stored in ipairs(redis.call('HMGET', RECORDS, unpack(ARGV, 5))) do
  add(stored or '')
end
return answer
