"""Physics: queues, KV blocks, batches and iterations of replicas."""
