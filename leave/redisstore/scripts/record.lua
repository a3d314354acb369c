-- Records of the second form, behind guard.lua; see form2.go.

-- number reads the bytes of a number, the greater end first.
local function number(stored, from, to)
  local n = 0
  for i = from, to do
    n = n * 256 + string.byte(stored, i)
  end
  return n
end

-- bytes returns n in that many bytes.
local function bytes(n, size)
  local all = {}
  for i = size, 1, -1 do
    all[i] = n % 256
    n = (n - all[i]) / 256
  end
  return string.char(unpack(all))
end

-- record returns what scripts read of a record; nothing if it is none of ours, as
-- parseHead2 in Go has it.
local function record(stored)
  if not stored or #stored < 18 or string.byte(stored, 1) ~= 2 then
    return
  end
  local v, state, named = number(stored, 2, 8), string.byte(stored, 12), 18 + string.byte(stored, 18)
  local job = named + 1
  if math.floor(state / 32) % 2 == 1 then
    job = job + 7 + (string.byte(stored, job + 6) or #stored)
  end
  if v >= 2^53 or job > #stored + 1 then
    return
  end
  state = state % 32
  return {
    version = int(v), lasts = number(stored, 9, 11), state = state, weight = number(stored, 13, 17),
    user = string.sub(stored, 19, named), account = string.char(state) .. string.sub(stored, 13, named),
    job = string.sub(stored, job),
  }
end

-- versioned returns a record with that version.
local function versioned(stored, v)
  return string.sub(stored, 1, 1) .. bytes(tonumber(v), 7) .. string.sub(stored, 9)
end

-- lent returns a record, of which r is what scripts read, with a lease.
local function lent(stored, r, v, ends, holder)
  return table.concat({
    string.sub(stored, 1, 1), bytes(tonumber(v), 7), string.sub(stored, 9, 11), string.char(r.state + 32),
    string.sub(stored, 13, 18), r.user, bytes(ends, 6), string.char(#holder), holder, r.job,
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
