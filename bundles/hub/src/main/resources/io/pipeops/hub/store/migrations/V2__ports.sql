-- Ports of the hub that lead to services of clusters.
CREATE TABLE service_port (
  id UUID PRIMARY KEY,
  cluster_id UUID NOT NULL REFERENCES cluster (id) ON DELETE CASCADE,
  protocol VARCHAR(8) NOT NULL,
  port INTEGER NOT NULL,
  service VARCHAR(253) NOT NULL,
  namespace VARCHAR(253) NOT NULL,
  target_port INTEGER NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL,
  UNIQUE (protocol, port)
);

CREATE INDEX service_port_cluster ON service_port (cluster_id, id);
