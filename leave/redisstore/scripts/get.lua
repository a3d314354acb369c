-- Reads one job.
--
-- ARGV from 4: field
-- Answer: the job as it is stored, or ''.
add(redis.call('HGET', JOBS, ARGV[4]) or '')
return answer
