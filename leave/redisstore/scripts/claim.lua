-- Lends due jobs of the first form, and returns the parts that have due jobs of the
-- second form.
--
-- ARGV from 5: the caller's time (milliseconds), how many jobs, the new holder
-- Answer:
--   the form in which jobs are written now;
--   'move' if there are jobs in the other form, else '';
--   if there are jobs of the second form, the due time of the first due job of the
--   first form that this script did not lend, '' for none: it lends none that is due
--   later than the first job of the second form;
--   the number of jobs, then for each its field and its value after the loan;
--   at most as many parts with due jobs as jobs are still wanted, each with the due
--   time of its first job.
local second = isSecond()
local hash = second and JOBS or RECORDS
local others = redis.call('HLEN', hash)
add(second and '2' or '1')
add(others > 0 and 'move' or '')

local most, found, latest = tonumber(ARGV[6]), {}, ARGV[5]
-- Without a value of the first form, DUE may still have members that are not jobs.
local isFirst = not second or others > 0 or redis.call('ZCARD', DUE) > 1
local head = isFirst and redis.call('ZRANGE', HEADS, 0, 0, 'WITHSCORES')[2]
if head and tonumber(head) < tonumber(latest) then
  latest = head
end
for _, field in ipairs(isFirst and redis.call('ZRANGEBYSCORE', DUE, '-inf', latest, 'LIMIT', 0, most + 1) or {}) do
  local stored = redis.call('HGET', JOBS, field)
  local _, lease, job = parts(stored)
  if field == CANARY or #found >= 2 * most then
    -- This is the member without a job, or enough jobs are found.
  elseif job then
    local ends = int(tonumber(ARGV[5]) + math.max(tonumber(lease), 1))
    stored = table.concat({version(0, most), ends, lease, ARGV[7] .. '\n' .. job}, ' ')
    redis.call('HSET', JOBS, field, stored)
    redis.call('ZADD', DUE, ends, field)
    found[#found + 1] = field
    found[#found + 1] = stored
  elseif stored and stored ~= '' then
    -- This program did not write this text. It moves back by a minute, so that it
    -- does not delay the jobs behind it. It stays, because a later version of this
    -- program may have written it.
    redis.call('ZADD', DUE, int(tonumber(ARGV[5]) + 60000), field)
    found[#found + 1] = field
    found[#found + 1] = stored
  else
    redis.call('ZREM', DUE, field)
  end
end

local after = ''
if head then
  local left = redis.call('ZRANGEBYSCORE', DUE, '-inf', ARGV[5], 'WITHSCORES', 'LIMIT', 0, 2)
  after = left[1] == CANARY and left[4] or left[1] ~= CANARY and left[2] or ''
end
add(after)
add(int(#found / 2))
for _, text in ipairs(found) do
  add(text)
end
local left = most - #found / 2
if left > 0 then
  local heads = redis.call('ZRANGEBYSCORE', HEADS, '-inf', ARGV[5], 'WITHSCORES', 'LIMIT', 0, int(left))
  for i = 1, #heads, 2 do
    local n = tonumber(string.match(heads[i], '^%d+$') or '')
    if n and n < 8192 and heads[i] == int(n) then
      add(heads[i])
      add(heads[i + 1])
    else
      redis.call('ZREM', HEADS, heads[i]) -- not the number of a part; see shards in Go
    end
  end
end
return answer
