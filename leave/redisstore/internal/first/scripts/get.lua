-- Reads one job.
--
-- ARGV from 5: field
-- Answer: the field, and the job as it is stored, or ''.
add(ARGV[5])
add(redis.call('HGET', JOBS, ARGV[5]) or '')
return answer
