-- Counts jobs.
--
-- ARGV from 4: user
-- Answer: how many there are, how many are the user's.
add(int(redis.call('HLEN', JOBS)))
add(redis.call('HGET', USERS, ARGV[4]) or '0')
return answer
