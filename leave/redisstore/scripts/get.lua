-- Reads one job.
--
-- ARGV from 5: field, id
-- Answer: the job as it is stored in the first form, and in the second; '' for
-- none.
add(redis.call('HGET', JOBS, ARGV[5]) or '')
add(redis.call('HGET', RECORDS, ARGV[6]) or '')
return answer
