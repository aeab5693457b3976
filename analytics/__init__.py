"""Questions about what happened: reports and tuning. Imports `flows` and `connectors`; never `tokenweir`."""
