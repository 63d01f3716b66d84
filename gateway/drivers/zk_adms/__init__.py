"""ZK push terminals (ADMS / iclock), attendance and security dialect."""
