-- Reads one job.
--
-- ARGV from 5: field, id
-- Answer: the job's value in the first form, and its value in the second form; ''
-- where there is none.
add(redis.call('HGET', JOBS, ARGV[5]) or '')
add(redis.call('HGET', RECORDS, ARGV[6]) or '')
return answer
