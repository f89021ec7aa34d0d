"""`pulumi-resource-canh`: machines and links of a lab as Pulumi resources (canh:lab:Station, Machine, Link)."""
