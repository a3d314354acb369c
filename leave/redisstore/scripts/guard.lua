-- The head of every script about jobs.
--
-- KEYS  the fixed keys, all in one slot of a cluster, with one of the caller's
--       own; then, where a script says so, parts of the jobs' due times
-- ARGV  not_after (milliseconds of the store's time, which is this server's
--       clock with a correction), the epoch and the count of writes that the
--       caller knows, the count at its own last write; then the script's own
--
-- Every answer begins with what happened, the time, what of it is correction,
-- the count of writes, and the count at the caller's last.
local EPOCH, WRITES, JOBS, DUE, ROOMS, INDEX, PRESENT, COUNTS, CORRECTION, ACCOUNTS, WROTE = unpack(KEYS, 1, 11)
-- Of the second form; see doc.go.
local RECORDS, HEADS, TALLIES, SEEN, SINCE = unpack(KEYS, 12, 16)
-- The first part is behind this key.
local FIXED = 16

local function int(n) return string.format('%.0f', n) end

local t = redis.call('TIME')
local known = redis.call('MGET', EPOCH, WRITES, CORRECTION, WROTE, SEEN, SINCE)
local correction = known[3] or '0'
local time = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) + tonumber(correction)
local writes, wrote, seen = known[2] or '0', known[4] or '0', known[5] or '0'

-- A command that waited in a frozen server is nobody's any more. The millisecond
-- of not_after may be over.
if time >= tonumber(ARGV[1]) then
  return {'late', int(time), correction, writes, wrote}
end
-- Another epoch: the server began empty. Fewer writes than were seen before:
-- it began from an old file, or a replica took over that lacked the last ones.
-- The caller's own last write tells so, too, when others have written since.
if known[1] ~= ARGV[2] or tonumber(writes) < tonumber(ARGV[3]) or tonumber(wrote) < tonumber(ARGV[4]) then
  return {'forgotten', int(time), correction, writes, wrote}
end

local answer = {'ok', int(time), correction, writes, wrote}

local function add(text) answer[#answer + 1] = text end

-- The last version that was given, and how many more are counted already.
local given, counted = tonumber(writes), 0

-- version returns the version of the next write, greater than above. With it so
-- many are counted as this script may need, before any of them is written, and as
-- those of a replica that knows the second form.
local function version(above, most)
  if tonumber(above) > given then
    given, counted = tonumber(above), 0
  end
  if counted == 0 then
    counted = most
    local last = int(given + most)
    if seen == writes then
      seen, writes = last, last
      redis.call('MSET', WRITES, last, SEEN, last)
    else
      redis.call('SET', WRITES, last)
    end
    redis.call('SET', WROTE, last, 'PX', 90000000)
    answer[4], answer[5] = last, last
  end
  given, counted = given + 1, counted - 1
  return int(given)
end

-- parts returns the version of what is stored, how long its lease lasts and the
-- job; nothing if that is no job of ours, as decode in Go has it.
local function parts(stored)
  local v, ends, lease, job = string.match(stored or '', '^(%d+) (%d+) (%d+) [^\n]*\n(.*)$')
  local function fits(n) return #n <= 16 and tonumber(n) < 2^53 end
  if v and fits(v) and fits(ends) and #lease <= 5 then
    return v, lease, job
  end
end

-- fields returns where in the sorted set INDEX the jobs of a room are.
local function fields(room)
  local prefix = #room .. ':' .. room .. ':'
  return '[' .. prefix, '(' .. prefix .. '\255'
end
