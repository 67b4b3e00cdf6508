package event

// Topic names a region's topic for a delivery class.
func Topic(region string, class Class) string {
	switch class {
	case Lossy:
		return "anteroom." + region + ".samples"
	case Content:
		return "anteroom." + region + ".chat"
	case Durable:
	}
	return "anteroom." + region + ".events"
}

// CopiesTopic is where other regions' copiers write the copies of chat that belong to a region.
func CopiesTopic(region string) string { return "anteroom." + region + ".copies" }

// DeadLetterTopic names the region's topic of records that could not be ingested. Its records carry a reason
// and an origin, never the record's own bytes.
func DeadLetterTopic(region string) string { return "anteroom." + region + ".dead-letters" }

// LogsTopic is where a region's diagnostic records of calls that have ended are written, for whoever wants them.
func LogsTopic(region string) string { return "anteroom." + region + ".logs" }
