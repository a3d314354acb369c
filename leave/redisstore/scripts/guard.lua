-- Every script about jobs begins with this file.
--
-- KEYS  the fixed keys, all in one slot of a cluster, one of them the caller's
--       own; then, where a script says so, parts of the jobs' due times
-- ARGV  not_after (milliseconds of the store's time, which is this server's clock
--       plus a correction), the epoch and the count of writes that the caller
--       knows, the count of writes at the caller's last write; then the arguments
--       of the script itself
--
-- Every answer begins with the result, the store's time, the correction in it, the
-- count of writes, and the count of writes at the caller's last write.
local EPOCH, WRITES, JOBS, DUE, ROOMS, INDEX, PRESENT, COUNTS, CORRECTION, ACCOUNTS, WROTE = unpack(KEYS, 1, 11)
-- The keys of the second form; see doc.go.
local RECORDS, HEADS, TALLIES, SEEN, SINCE = unpack(KEYS, 12, 16)
-- So many keys come before the parts of the due times.
local FIXED = 16

local function int(n) return string.format('%.0f', n) end

local t = redis.call('TIME')
local known = redis.call('MGET', EPOCH, WRITES, CORRECTION, WROTE, SEEN, SINCE)
local correction = known[3] or '0'
local time = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) + tonumber(correction)
local writes, wrote, seen = known[2] or '0', known[4] or '0', known[5] or '0'

-- If the server was frozen, the caller has given this command up, and it must change
-- nothing. In the whole millisecond of not_after the command counts as late.
if time >= tonumber(ARGV[1]) then
  return {'late', int(time), correction, writes, wrote}
end
-- The server has lost jobs in three cases. Another epoch: it started empty. Fewer
-- writes than the caller has seen: it started from an old file, or a promoted replica
-- lacked the last writes. Fewer writes at the caller's last write: the same, and
-- others have written more since then than was lost.
if known[1] ~= ARGV[2] or tonumber(writes) < tonumber(ARGV[3]) or tonumber(wrote) < tonumber(ARGV[4]) then
  return {'forgotten', int(time), correction, writes, wrote}
end

local answer = {'ok', int(time), correction, writes, wrote}

local function add(text) answer[#answer + 1] = text end

-- The last version given to a job, and how many more WRITES counts already.
local given, counted = tonumber(writes), 0

-- version returns the version of the next write, greater than above. The first call
-- adds to WRITES the most versions that this script may need, before any job is
-- written. It adds them to SEEN, too, if no older replica has written.
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

-- parts splits a stored value of the first form into its version, the length of its
-- lease and the job. It returns nothing for a text that is not a job; decode in Go
-- decides in the same way.
local function parts(stored)
  local v, ends, lease, job = string.match(stored or '', '^(%d+) (%d+) (%d+) [^\n]*\n(.*)$')
  local function fits(n) return #n <= 16 and tonumber(n) < 2^53 end
  if v and fits(v) and fits(ends) and #lease <= 5 then
    return v, lease, job
  end
end

-- fields returns the range of the sorted set INDEX that has the jobs of a room.
local function fields(room)
  local prefix = #room .. ':' .. room .. ':'
  return '[' .. prefix, '(' .. prefix .. '\255'
end
