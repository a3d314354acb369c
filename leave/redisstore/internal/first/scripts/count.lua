-- Counts jobs.
--
-- ARGV from 5: fields of COUNTS
-- Answer: how many jobs there are, and what each of the fields says.
add(int(redis.call('HLEN', ACCOUNTS)))
for _, number in ipairs(redis.call('HMGET', COUNTS, unpack(ARGV, 5))) do
  add(number or '0')
end
return answer
