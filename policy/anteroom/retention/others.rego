package anteroom.retention

# METADATA
# title: Recordings, notices and decision inputs have periods of their own
# description: The operator sets them; policies about chat say nothing of them.
# custom:
#   rule: R8
#   reason: default_period
period := by_default(rego.metadata.rule().custom) if input.class in {"recording", "notice", "decision"}
