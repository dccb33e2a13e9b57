"""Every library in every situation: tables of data, drivers of a few lines, one body per situation."""
