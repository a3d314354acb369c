-- What becomes of a job when it is written or removed, behind guard.lua.

-- at returns the version of what is stored: '0' if nothing is, not even a text,
-- '?' if it is no job.
local function at(stored)
  if not stored or stored == '' then
    return '0'
  end
  return parts(stored) or '?'
end

local function remove(field, room)
  redis.call('HDEL', JOBS, field)
  redis.call('ZREM', DUE, field)
  redis.call('ZREM', INDEX, field)
  local from, to = fields(room)
  if #redis.call('ZRANGEBYLEX', INDEX, from, to, 'LIMIT', 0, 1) == 0 then
    redis.call('ZREM', ROOMS, room)
  end
end

-- count adds to a number in a hash that has no zeros.
local function count(hash, field, by)
  if by ~= 0 and redis.call('HINCRBY', hash, field, int(by)) <= 0 then
    redis.call('HDEL', hash, field)
  end
end

-- tally adds up, with by, what an account says:
--   1 if the job occupies its room, its state, its weight, its owner
local function tally(sums, account, by)
  local occupies, state, weight, user = string.match(account, '^(%d) (%S*) (%d+) (.*)$')
  if user then
    local server = string.match(user, ':.*$') or ':'
    sums.occupied = sums.occupied + occupies * by
    sums.servers[server] = true
    for field, n in pairs({
      [user] = by, ['=' .. state] = by, ['#' .. server] = by, [server] = weight * by, ['+' .. user] = weight * by,
    }) do
      sums.counts[field] = (sums.counts[field] or 0) + n
    end
  end
end

-- enter changes a job's account, and all that is counted with it. What the job
-- was counted for is read from its account alone: whatever became of its value,
-- each number is the sum of the accounts.
local function enter(field, room, account)
  local before = redis.call('HGET', ACCOUNTS, field) or ''
  if before == account then
    return
  end
  if account == '' then
    redis.call('HDEL', ACCOUNTS, field)
  else
    redis.call('HSET', ACCOUNTS, field, account)
  end
  local sums = {occupied = 0, counts = {}, servers = {}}
  tally(sums, before, -1)
  tally(sums, account, 1)
  count(PRESENT, room, sums.occupied)
  for name, by in pairs(sums.counts) do
    count(COUNTS, name, by)
  end
  -- A replica of a version that did not count the jobs of homeservers may have
  -- removed some: where nothing weighs, nothing is left.
  for server in pairs(sums.servers) do
    if not redis.call('HGET', COUNTS, server) then
      redis.call('HDEL', COUNTS, '#' .. server)
    end
  end
end
