"""The scripts that Envoy runs where its own filters cannot say what is meant: baggage, trace IDs, fallback by health.

What differs between groups, services and routes is in the routes, so that a change of lanes leaves the script, and what it
remembers, in place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .resources import typed

if TYPE_CHECKING:
    from .options import Json

LANES: Final = "lanebaggage.lanes"
"""Name of the filter that finds the lane."""
HOPS: Final = "lanebaggage.hops"
"""Name of the filter that notes headers, and of its metadata."""
INBOUND: Final = "x-lanebaggage-inbound"
"""Between two sidecars in trace-ID mode: the request is for the application of the one that gets it."""

_LANES: Final = """
-- Trace ID to lane, of this sidecar alone; `order` says which came first.
local memory, order, first, last, size, generation = {}, {}, 1, 0, 0, 0

local function remember(trace, lane, context)
  if memory[trace] == nil then size = size + 1 end
  last = last + 1
  order[last] = trace
  memory[trace] = {lane = lane, place = last, ends = os.time() + context:get("ttl")}
  while size > context:get("size") do
    local oldest = memory[order[first]]
    if oldest ~= nil and oldest.place == first then
      memory[order[first]] = nil
      size = size - 1
    end
    order[first] = nil
    first = first + 1
  end
  if last - first < 2 * context:get("size") then return end
  local kept = {}
  for place = first, last do
    local entry = memory[order[place]]
    if entry ~= nil and entry.place == place then
      kept[#kept + 1] = order[place]
      entry.place = #kept
    end
  end
  order, first, last = kept, 1, #kept
end

local function recall(trace)
  local known = memory[trace]
  if known ~= nil and os.time() < known.ends then return known.lane end
  return nil
end

-- A traceparent is version-traceid-parentid-flags.
local function trace_id(headers, context)
  local value = headers:get(context:get("trace"))
  if value == nil or value == "" then return nil end
  if context:get("trace") == "traceparent" and not context:get("whole") then
    return value:match("^[^-]*%-([^-]*)%-[^-]*%-") or value
  end
  return value
end

-- The value of a baggage member with this key, or nil; a member ends at a comma, its properties start at a semicolon.
local function value_of(member, key)
  local start = member:match("^[ \\t]*()")
  if member:sub(start, start + #key - 1) ~= key then return nil end
  local rest = member:sub(start + #key):match("^[ \\t]*=(.*)$")
  if rest == nil then return nil end
  local value = rest:match("^[^;]*"):match("^[ \\t]*(.-)[ \\t]*$")
  return (value:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- One lane by several members of one value; several values name no lane.
local function lane_in_baggage(headers, context)
  local text = headers:get("baggage")
  if text == nil or text == "" or #text > context:get("limit") then return nil end
  local found = nil
  for member in (text .. ","):gmatch("([^,]*),") do
    local value = value_of(member, context:get("key"))
    if value ~= nil then
      if found ~= nil and found ~= value then return "," end
      found = value
    end
  end
  return found
end

-- The lane's name, and whether it has to be put back into the route header.
local function lane_of(headers, context)
  local value = nil
  if context:get("baggage_first") then
    value = lane_in_baggage(headers, context)
    if value ~= nil then return value, true end
  end
  value = headers:get(context:get("route"))
  if value ~= nil then return value, false end
  if context:get("key") ~= nil then return lane_in_baggage(headers, context), true end
  local trace = context:get("trace") ~= nil and trace_id(headers, context)
  return trace and recall(trace) or nil, true
end

local function is_lane(value, context)
  return value ~= nil and not value:find("\\n", 1, true) and context:get("lanes"):find("\\n" .. value .. "\\n", 1, true) ~= nil
end

local function outbound(handle, context)
  local value, restored = lane_of(handle:headers(), context)
  local target = handle:metadata():get("target")
  if target == nil then return end
  local lanes = {value, target}
  if not is_lane(value, context) then
    local treatment = value == nil and context:get("no_lane") or context:get("unknown_lane")
    if treatment == "error" then
      handle:respond({[":status"] = "503"}, value == nil and "no lane" or "unknown lane")
      return
    end
    lanes = {treatment == "fallback" and target or context:get("baseline"), target}
  elseif restored then
    handle:headers():remove(context:get("route"))
    handle:headers():add(context:get("route"), value)
  end
  local metadata = handle:streamInfo():dynamicMetadata()
  if context:get("list") then
    metadata:set("envoy.lb", "fallback_list", {{lane = lanes[1]}, {lane = lanes[2]}})
  else
    metadata:set("envoy.lb", "lane", lanes[1])
  end
end

local function inbound(headers, context)
  headers:remove("x-lanebaggage-inbound")
  local trace, lane = trace_id(headers, context), headers:get(context:get("route"))
  if trace ~= nil and is_lane(lane, context) then remember(trace, lane, context) end
end

-- The gateway's lane replaces whatever member of ours the client sent; the others keep their bytes.
local function gateway(headers, context)
  local text = headers:get("baggage") or ""
  if #text > context:get("limit") then text = "" end
  local kept = {}
  for member in (text .. ","):gmatch("([^,]*),") do
    if value_of(member, context:get("key")) == nil then kept[#kept + 1] = member end
  end
  local rest = table.concat(kept, ","):match("^[ \\t,]*(.-)[ \\t,]*$")
  local ours = context:get("key") .. "=" .. context:get("lane")
  headers:remove("baggage")
  headers:add("baggage", rest == "" and ours or rest .. "," .. ours)
end

function envoy_on_request(handle)
  local context = handle:filterContext()
  local headers = handle:headers()
  if context:get("role") == "gateway" then
    gateway(headers, context)
  elseif context:get("role") == "sidecar" then
    if context:get("trace") ~= nil and context:get("generation") ~= generation then
      memory, order, first, last, size, generation = {}, {}, 1, 0, 0, context:get("generation")
    end
    if context:get("trace") ~= nil and headers:get("x-lanebaggage-inbound") ~= nil then
      inbound(headers, context)
    else
      outbound(handle, context)
    end
  end
end
"""

_HOPS: Final = """
-- Metadata is UTF-8 and headers are bytes: what is not plain ASCII is written as in a URL.
local function plain(text)
  return (text:gsub("[^\\32-\\36\\38-\\126]", function(byte) return string.format("%%%02X", byte:byte()) end))
end

local function note(handle, name)
  local lines = {}
  for key, value in pairs(handle:headers()) do lines[#lines + 1] = plain(key .. "=" .. value) end
  handle:streamInfo():dynamicMetadata():set("lanebaggage.hops", name, lines)
end

function envoy_on_request(handle)
  note(handle, "request")
  local lane = handle:filterContext():get("lane")
  if lane ~= nil then handle:streamInfo():dynamicMetadata():set("lanebaggage.hops", "lane", lane) end
end

function envoy_on_response(handle) note(handle, "response") end
"""


def lanes_filter() -> Json:
    """The filter that finds the lane."""
    return _filter(LANES, _LANES)


def hops_filter() -> Json:
    """The filter that notes the headers of request and response."""
    return _filter(HOPS, _HOPS)


def context(where: Json, name: str, **values: Any) -> Json:
    """A route, or whatever else may say so, with what a script knows there.

    :param name: of the script's filter.
    """
    per_route = typed("extensions.filters.http.lua.v3.LuaPerRoute", filter_context=values)
    return {**where, "typed_per_filter_config": {**where.get("typed_per_filter_config", {}), name: per_route}}


def _filter(name: str, source: str) -> Json:
    # The route is chosen before the scripts run, by the headers that arrived; what they change must not change it.
    settings = {"default_source_code": {"inline_string": source}, "clear_route_cache": False}
    lua = typed("extensions.filters.http.lua.v3.Lua", **settings)
    return {"name": name, "typed_config": lua}
