-- What becomes of a job when it is written or removed, behind guard.lua.

-- at returns the version of what is stored in one form, of which v is the version
-- that it has as a job: '0' if nothing is, not even a text, '?' if it is no job.
local function at(stored, v)
  if not stored or stored == '' then
    return '0'
  end
  return v or '?'
end

-- atFirst is at for the first form, atSecond for the second.
local function atFirst(stored) return at(stored, (parts(stored))) end

local function atSecond(stored)
  local r = record(stored)
  return at(stored, r and r.version)
end

-- atBoth returns the version of a key's job, which may be in either form. In both
-- it is only after a replica wrote that does not know the second.
local function atBoth(first, second)
  local a, b = atFirst(first), atSecond(second)
  if a == '0' or a == '?' and b ~= '0' then
    return b
  elseif b == '0' or b == '?' then
    return a
  end
  return a .. '/' .. b
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

-- reckon adds to what is counted in the second form, where a field has a number of
-- jobs and what they weigh.
local function reckon(field, jobs, weight)
  local n, w = string.match(redis.call('HGET', TALLIES, field) or '', '^(%d+) (%d+)$')
  n, w = (n or 0) + jobs, (w or 0) + weight
  if n > 0 then
    redis.call('HSET', TALLIES, field, int(n) .. ' ' .. int(math.max(w, 0)))
  else
    redis.call('HDEL', TALLIES, field)
  end
end

-- hash is the field of a user, whose name would take more memory.
local function hash(user)
  local hex = string.sub(redis.sha1hex(user), 1, 28)
  return (string.gsub(hex, '..', function(digits) return string.char(tonumber(digits, 16)) end))
end

-- book adds, with by, what a record counts for.
local function book(room, stored, r, by)
  if r.state >= 16 then
    count(PRESENT, room, by)
  end
  local name, weighs = user(stored, r), weight(stored) * by
  reckon('=' .. r.state % 16, by, weighs)
  reckon(hash(name), by, weighs)
  reckon(string.match(name, ':.*$') or ':', by, weighs)
end

-- rebook has counted what is stored now, and no more what was; '' for nothing.
local function rebook(room, before, after)
  local b, a = record(before), record(after)
  if b and a and b.state == a.state and b.account == a.account then
    return
  end
  if b then
    book(room, before, b, -1)
  end
  if a then
    book(room, after, a, 1)
  end
end

-- removeFirst removes what is stored in the first form.
local function removeFirst(field, room)
  redis.call('HDEL', JOBS, field)
  redis.call('ZREM', DUE, field)
  redis.call('ZREM', INDEX, field)
  enter(field, room, '')
end

-- removeSecond removes what is stored in the second.
local function removeSecond(id, room, part, n, stored)
  redis.call('HDEL', RECORDS, id)
  redis.call('ZREM', part, id)
  head(part, n)
  rebook(room, stored, '')
  if redis.call('HLEN', RECORDS) == 0 then
    -- What a record counted for that was overwritten is in no account.
    for _, field in ipairs(redis.call('HKEYS', TALLIES)) do
      redis.call('HDEL', TALLIES, field)
    end
  end
end

-- empty forgets a room in which no job is left.
local function empty(room, part, roomID)
  local from, to = fields(room)
  if #redis.call('ZRANGEBYLEX', INDEX, from, to, 'LIMIT', 0, 1) == 0 and #ids(part, roomID, 1) == 0 then
    redis.call('ZREM', ROOMS, room)
    redis.call('HDEL', PRESENT, room)
  end
end
