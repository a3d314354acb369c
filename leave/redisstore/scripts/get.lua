-- Reads one job.
--
-- ARGV from 4: field
-- Answer: the field, and the job as it is stored, or ''.
add(ARGV[4])
add(redis.call('HGET', JOBS, ARGV[4]) or '')
return answer
