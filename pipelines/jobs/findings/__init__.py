"""What the clinical lead found out: notes on alarms, assessments of weeks."""
