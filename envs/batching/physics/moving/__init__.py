"""Requests that move from replica to replica: links, handing over after prompts, live migration."""
