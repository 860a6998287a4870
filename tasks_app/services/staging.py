"""Where COPY puts rows before a statement takes them over: temporary tables, one of each per connection.

Making one costs more than filling it. They empty themselves with the transaction; a second batch in the same one deletes.
"""

# Without a result: sent in front of another statement, it costs no round trip.
EMPTY_STAGING = """
    CREATE TEMP TABLE IF NOT EXISTS fix_staging (
        device_id bigint, fix_time timestamptz, received_at timestamptz,
        latitude float8, longitude float8, altitude_meters float8, speed_kph float8, course_degrees float8,
        accuracy_meters float8, attributes jsonb
    ) ON COMMIT DELETE ROWS;
    CREATE TEMP TABLE IF NOT EXISTS state_staging (
        device_id bigint, last_seen_at timestamptz, fix_time timestamptz, latitude float8, longitude float8,
        altitude_meters float8, speed_kph float8, course_degrees float8, accuracy_meters float8,
        is_speed_derived bool, is_moving bool, ignition int, odometer_meters float8, engine_seconds float8,
        version bigint, attributes jsonb
    ) ON COMMIT DELETE ROWS;
    DELETE FROM fix_staging;
    DELETE FROM state_staging;
"""
