-- The head of every script about jobs.
--
-- KEYS  the ten fixed keys, all in one slot of a cluster
-- ARGV  not_after (milliseconds of the store's time, which is this server's
--       clock with a correction), the epoch and the count of writes that the
--       caller knows; then the script's own
--
-- Every answer begins with what happened, the time, what of it is correction,
-- and the count of writes.
local EPOCH, WRITES, JOBS, DUE, ROOMS, INDEX, PRESENT, COUNTS, CORRECTION, ACCOUNTS = unpack(KEYS)

local function int(n) return string.format('%.0f', n) end

local t = redis.call('TIME')
local correction = redis.call('GET', CORRECTION) or '0'
local time = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) + tonumber(correction)
local writes = redis.call('GET', WRITES) or '0'

-- A command that waited in a frozen server is nobody's any more. The millisecond
-- of not_after may be over.
if time >= tonumber(ARGV[1]) then
  return {'late', int(time), correction, writes}
end
-- Another epoch: the server began empty. Fewer writes than were seen before:
-- it began from an old file, or a replica took over that lacked the last ones.
if redis.call('GET', EPOCH) ~= ARGV[2] or tonumber(writes) < tonumber(ARGV[3]) then
  return {'forgotten', int(time), correction, writes}
end

local answer = {'ok', int(time), correction, writes}

local function add(text) answer[#answer + 1] = text end

-- version returns the version of the next write, greater than above.
local function version(above)
  if tonumber(above) > tonumber(answer[4]) then
    redis.call('SET', WRITES, above)
  end
  answer[4] = int(redis.call('INCR', WRITES))
  return answer[4]
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
