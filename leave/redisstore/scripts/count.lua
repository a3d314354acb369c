-- Counts jobs.
--
-- ARGV from 5: the number of fields of COUNTS, these fields, then fields of TALLIES
-- Answer: the number of all jobs, then the value of each field.
add(int(redis.call('HLEN', ACCOUNTS) + redis.call('HLEN', RECORDS)))
for _, number in ipairs(redis.call('HMGET', COUNTS, unpack(ARGV, 6, 5 + ARGV[5]))) do
  add(number or '0')
end
for _, numbers in ipairs(redis.call('HMGET', TALLIES, unpack(ARGV, 6 + ARGV[5]))) do
  add(numbers or '0 0')
end
return answer
