"""The classic instances, their best-known bounds and the page that Gantt charts are drawn on."""
