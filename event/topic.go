package event

// Topic names a region's topic for a delivery class.
func Topic(region string, class Class) string {
	if class == Lossy {
		return "anteroom." + region + ".samples"
	}
	return "anteroom." + region + ".events"
}

// DeadLetterTopic names the region's topic of records that could not be ingested. Its records carry a reason
// and an origin, never the record's own bytes.
func DeadLetterTopic(region string) string { return "anteroom." + region + ".dead-letters" }
