-- Reads records of the second form.
--
-- ARGV from 5: ids
-- Answer: what is stored for each, '' for nothing.
for _, stored in ipairs(redis.call('HMGET', RECORDS, unpack(ARGV, 5))) do
  add(stored or '')
end
return answer
