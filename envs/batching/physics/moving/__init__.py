"""Requests that make room for others, or move from replica to replica: links, live migration."""
