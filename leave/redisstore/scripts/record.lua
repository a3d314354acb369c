-- Records of the second form, behind guard.lua; see form2.go.

-- number returns the number that is in some bytes, the greater end first.
local function number(a, b, c, d, e, f, g)
  local n = (a * 256 + b) * 256 + c
  if g then
    return (((n * 256 + d) * 256 + e) * 256 + f) * 256 + g
  elseif e then
    return (n * 256 + d) * 256 + e
  end
  return n
end

-- three returns n in three bytes, six in six, seven in seven.
local function three(n)
  local c = n % 256
  local b = (n - c) / 256 % 256
  return string.char(((n - c) / 256 - b) / 256, b, c)
end

local function six(n)
  local low = n % 16777216
  return three((n - low) / 16777216) .. three(low)
end

local function seven(n)
  local low = n % 281474976710656
  return string.char((n - low) / 281474976710656) .. six(low)
end

-- record returns what scripts read of a record; nothing if it is none of ours, as
-- parseHead2 in Go has it.
local function record(stored)
  if not stored or #stored < 18 or string.byte(stored, 1) ~= 2 then
    return
  end
  local v, state, named = number(string.byte(stored, 2, 8)), string.byte(stored, 12), 18 + string.byte(stored, 18)
  local job = named + 1
  if math.floor(state / 32) % 2 == 1 then
    job = job + 7 + (string.byte(stored, job + 6) or #stored)
  end
  if v >= 2^53 or job > #stored + 1 then
    return
  end
  state = state % 32
  return {
    version = int(v), state = state, named = named, job = job,
    -- What it counts for is in it, and behind the state.
    account = string.sub(stored, 13, named),
  }
end

-- lasts returns how long a lease of a record lasts, weight what it weighs, and user
-- whose it is. r is what record read.
local function lasts(stored) return number(string.byte(stored, 9, 11)) end

local function weight(stored) return number(string.byte(stored, 13, 17)) end

local function user(stored, r) return string.sub(stored, 19, r.named) end

-- versioned returns a record with that version.
local function versioned(stored, v)
  return string.sub(stored, 1, 1) .. seven(tonumber(v)) .. string.sub(stored, 9)
end

-- lent returns a record, of which r is what scripts read, with a lease.
local function lent(stored, r, v, ends, holder)
  return table.concat({
    string.sub(stored, 1, 1), seven(tonumber(v)), string.sub(stored, 9, 11), string.char(r.state + 32),
    r.account, six(ends), string.char(#holder), holder, string.sub(stored, r.job),
  })
end

-- head keeps HEADS, which has when the first job of each part is due.
local function head(part, n)
  local first = redis.call('ZRANGE', part, 0, 0, 'WITHSCORES')
  if first[2] then
    redis.call('ZADD', HEADS, first[2], n)
  else
    redis.call('ZREM', HEADS, n)
  end
end

-- ids returns those in a part that begin with prefix, at most so many.
local function ids(part, prefix, most)
  local found, from = {}, 0
  repeat
    local some = redis.call('ZRANGE', part, from, from + 127)
    for _, id in ipairs(some) do
      if #found < most and string.sub(id, 1, #prefix) == prefix then
        found[#found + 1] = id
      end
    end
    from = from + 128
  until #some < 128 or #found >= most
  return found
end
