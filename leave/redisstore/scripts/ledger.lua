-- Writes and removes jobs, and keeps what is counted about them. It follows
-- record.lua.

-- at returns the version of a stored value: v, its version as a job; '0' if nothing
-- is stored, or an empty text; '?' for a text that is not a job.
local function at(stored, v)
  if not stored or stored == '' then
    return '0'
  end
  return v or '?'
end

-- atFirst returns the version of a value of the first form, atSecond of the second.
local function atFirst(stored) return at(stored, (parts(stored))) end

local function atSecond(stored)
  local r = record(stored)
  return at(stored, r and r.version)
end

-- atBoth returns the version of a key's job, which may be in either form. The job is
-- in both forms only after a replica that does not know the second has written it.
-- Then both versions are returned, with a slash between them.
local function atBoth(first, second)
  local a, b = atFirst(first), atSecond(second)
  if a == '0' or a == '?' and b ~= '0' then
    return b
  elseif b == '0' or b == '?' then
    return a
  end
  return a .. '/' .. b
end

-- count adds by to a number in a hash, and removes the field when it reaches zero.
local function count(hash, field, by)
  if by ~= 0 and redis.call('HINCRBY', hash, field, int(by)) <= 0 then
    redis.call('HDEL', hash, field)
  end
end

-- tally adds an account to sums, by times. An account says what a job is counted
-- for: 1 if the job occupies its room, else 0; its state; its weight; its user.
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

-- enter changes a job's account and every number that the account is part of; ''
-- removes the account. It subtracts what the old account says, not what the job's
-- value says. So each number is the sum of the accounts, even if somebody has
-- overwritten the value.
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
  -- removed some. A homeserver without weight has no jobs, so its number goes.
  for server in pairs(sums.servers) do
    if not redis.call('HGET', COUNTS, server) then
      redis.call('HDEL', COUNTS, '#' .. server)
    end
  end
end

-- reckon adds to a field of TALLIES, which is a number of jobs and their weight. It
-- removes the field when it has no jobs.
local function reckon(field, jobs, weight)
  local n, w = string.match(redis.call('HGET', TALLIES, field) or '', '^(%d+) (%d+)$')
  n, w = (n or 0) + jobs, (w or 0) + weight
  if n > 0 then
    redis.call('HSET', TALLIES, field, int(n) .. ' ' .. int(math.max(w, 0)))
  else
    redis.call('HDEL', TALLIES, field)
  end
end

-- hash returns the field of TALLIES for a user: 14 bytes take less memory than a name.
local function hash(user)
  local hex = string.sub(redis.sha1hex(user), 1, 28)
  return (string.gsub(hex, '..', function(digits) return string.char(tonumber(digits, 16)) end))
end

-- book counts a record, by times. r is what record read of it.
local function book(room, stored, r, by)
  if r.state >= 16 then
    count(PRESENT, room, by)
  end
  local name, weighs = user(stored, r), weight(stored) * by
  reckon('=' .. r.state % 16, by, weighs)
  reckon(hash(name), by, weighs)
  reckon(string.match(name, ':.*$') or ':', by, weighs)
end

-- rebook counts the record after in the place of the record before; '' is no record.
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

-- removeFirst removes a job of the first form, and its account.
local function removeFirst(field, room)
  redis.call('HDEL', JOBS, field)
  redis.call('ZREM', DUE, field)
  redis.call('ZREM', INDEX, field)
  enter(field, room, '')
end

-- removeSecond removes a job of the second form.
local function removeSecond(id, room, part, n, stored)
  redis.call('HDEL', RECORDS, id)
  redis.call('ZREM', part, id)
  head(part, n)
  rebook(room, stored, '')
  if redis.call('HLEN', RECORDS) == 0 then
    -- A record that somebody overwrote stays counted, because nothing else says
    -- what it was counted for. When no record is left, every number is zero.
    for _, field in ipairs(redis.call('HKEYS', TALLIES)) do
      redis.call('HDEL', TALLIES, field)
    end
  end
end

-- empty removes a room from ROOMS and PRESENT if it has no jobs.
local function empty(room, part, roomID)
  local from, to = fields(room)
  if #redis.call('ZRANGEBYLEX', INDEX, from, to, 'LIMIT', 0, 1) == 0 and #ids(part, roomID, 1) == 0 then
    redis.call('ZREM', ROOMS, room)
    redis.call('HDEL', PRESENT, room)
  end
end
