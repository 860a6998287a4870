"""Settings of the OpenAPI schema (drf-spectacular)."""

OPENAPI = {
    "TITLE": "Tracker task API",
    "DESCRIPTION": "Positions in, jobs, reports, notifications and clean-up of a GPS fleet backend.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    # Bodies have no read-only fields: generated clients would require them.
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "tasks_app.api.component_names.shorten",
        "tasks_app.api.partial_bodies.without_defaults",
        "tasks_app.api.whole_answers.require_all_fields",
        "tasks_app.api.blank_texts.join_blank",
        "tasks_app.api.examples.add_examples",
    ],
    "PATH_CONVERTER_OVERRIDES": {"any_uuid": {"type": "string", "format": "uuid"}},
    "ENUM_NAME_OVERRIDES": {
        "DeviceKindEnum": "tasks_app.models.devices.DeviceKind",
        "FleetRoleEnum": "tasks_app.models.FleetRole",
        "CommandStateEnum": "tasks_app.models.commands.CommandState",
        "CommandTypeEnum": "tasks_app.models.commands.command_type_choices",
        "WayOfCommandEnum": "tasks_app.models.commands.CommandWay",
        "TrackerProtocolEnum": "tasks_app.models.commands.protocol_choices",
        "EventKindEnum": "tasks_app.models.EventKind",
        "ChannelKindEnum": "notifications_app.models.kinds.channel_choices",
        "NotificationKindEnum": "notifications_app.models.kinds.message_kind_choices",
    },
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "deviceKey": {"type": "apiKey", "in": "header", "name": "X-Device-Key"},
            "deviceBearer": {"type": "http", "scheme": "bearer"},
            "deviceBasic": {"type": "http", "scheme": "basic"},
            "deviceKeyInQuery": {"type": "apiKey", "in": "query", "name": "key"},
        }
    },
}
