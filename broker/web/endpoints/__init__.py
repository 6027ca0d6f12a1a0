"""The endpoints: read strictly, ask the core, write its answer down."""
