-- Counts jobs.
--
-- ARGV from 5: how many fields of COUNTS follow, those, and fields of TALLIES
-- Answer: how many jobs there are, and what each of the fields says.
add(int(redis.call('HLEN', ACCOUNTS) + redis.call('HLEN', RECORDS)))
for _, number in ipairs(redis.call('HMGET', COUNTS, unpack(ARGV, 6, 5 + ARGV[5]))) do
  add(number or '0')
end
for _, numbers in ipairs(redis.call('HMGET', TALLIES, unpack(ARGV, 6 + ARGV[5]))) do
  add(numbers or '0 0')
end
return answer
