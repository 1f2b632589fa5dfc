-- Each lookup in these functions is by a key, so one plan serves all values. Left to itself Postgres compares what plans cost, and with
-- the statistics of a small tenant it came to plan anew at each call, which took longer than the call.
ALTER FUNCTION enter_tenant SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION read_object SET plan_cache_mode = force_generic_plan;
