"""What a run would take: hours, memory and money on so many machines, before it is begun."""
