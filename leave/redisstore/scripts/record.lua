-- Reads and changes records of the second form; see form2.go. It follows guard.lua.

-- number returns the number in three, five or seven bytes, the most significant one
-- first.
local function number(a, b, c, d, e, f, g)
  local n = (a * 256 + b) * 256 + c
  if g then
    return (((n * 256 + d) * 256 + e) * 256 + f) * 256 + g
  elseif e then
    return (n * 256 + d) * 256 + e
  end
  return n
end

-- three returns n in three bytes, six in six, seven in seven, the most significant
-- one first.
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

-- record returns the parts of a record that scripts read. It returns nothing for a
-- text that is not a record; parseHead2 in Go decides in the same way.
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
    -- The bytes behind the state: the weight and the user.
    account = string.sub(stored, 13, named),
  }
end

-- lasts returns the length of a record's lease in milliseconds, weight its weight,
-- and user its user. r is what record returned for it.
local function lasts(stored) return number(string.byte(stored, 9, 11)) end

local function weight(stored) return number(string.byte(stored, 13, 17)) end

local function user(stored, r) return string.sub(stored, 19, r.named) end

-- versioned returns the record with the version v.
local function versioned(stored, v)
  return string.sub(stored, 1, 1) .. seven(tonumber(v)) .. string.sub(stored, 9)
end

-- lent returns the record with the version v and a lease of holder until ends. r is
-- what record returned for it.
local function lent(stored, r, v, ends, holder)
  return table.concat({
    string.sub(stored, 1, 1), seven(tonumber(v)), string.sub(stored, 9, 11), string.char(r.state + 32),
    r.account, six(ends), string.char(#holder), holder, string.sub(stored, r.job),
  })
end

-- head writes to HEADS when the first job of the part n is due, or removes the part
-- from HEADS if it is empty.
local function head(part, n)
  local first = redis.call('ZRANGE', part, 0, 0, 'WITHSCORES')
  if first[2] then
    redis.call('ZADD', HEADS, first[2], n)
  else
    redis.call('ZREM', HEADS, n)
  end
end

-- ids returns the ids in a part that begin with prefix, at most most of them.
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
