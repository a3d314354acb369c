-- Which form jobs are written in, behind guard.lua.

-- Replicas of a version that does not know the second form do not see what is
-- in it, so nothing is written in it while one lives. Whether one does shows by
-- itself: its claims, one every 50 ms, take this member, which has no job, out of
-- DUE; and its writes are not in SEEN.
local CANARY = '0::'

-- isSecond reports whether it is the second: none of the others has shown itself
-- for a minute. SINCE is when one did last; an operator may set it, and what is no
-- number there keeps the first.
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
