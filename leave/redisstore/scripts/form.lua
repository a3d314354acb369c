-- Decides in which form jobs are written. It follows guard.lua.

-- A replica of a version that does not know the second form cannot see jobs in it.
-- So no job is written in the second form while such a replica runs. Two signs show
-- that one runs: its claims, one every 50 ms, remove this member, which has no job,
-- from DUE; and its writes are in WRITES but not in SEEN.
local CANARY = '0::'

-- isSecond reports whether jobs are written in the second form: there has been no
-- sign of an older replica for a minute. SINCE is the time of the last sign. An
-- operator may set it; with a text that is not a number jobs stay in the first form.
local function isSecond()
  local since = tonumber(known[6] or '0') or time
  if seen ~= writes or not redis.call('ZSCORE', DUE, CANARY) then
    since, seen = math.max(since, time), writes
    redis.call('ZADD', DUE, 0, CANARY)
    redis.call('SET', SEEN, seen)
    redis.call('SET', SINCE, int(since))
  end
  return time - since >= 60000
end
