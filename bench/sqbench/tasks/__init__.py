"""What a decoded clip is still good for: recognition of speech, speakers, emotions and events."""
